/** A business day of a line: pieces made, and those that were defective. */
export interface Day {
  date: string;
  made: number;
  defective: number;
}

/** A day in a p-chart: its share of defective pieces, and the limits within which chance moves it. */
export interface Point {
  date: string;
  share: number;
  lower: number;
  upper: number;
  isOutlier: boolean;
}

/** The share over all days; a mean of shares would weigh a day of ten pieces like one of ten thousand. */
export function meanShare(days: Day[]): number {
  const made = days.reduce((sum, day) => sum + day.made, 0);
  const defective = days.reduce((sum, day) => sum + day.defective, 0);
  return made > 0 ? defective / made : 0;
}

/** Shewhart's p-chart: the limits of a day depend on how many pieces it made; a day without pieces has no point. */
export function controlChart(days: Day[], sigmas: number): Point[] {
  const mean = meanShare(days);
  return days
    .filter((day) => day.made > 0)
    .map((day) => {
      const width = sigmas * Math.sqrt((mean * (1 - mean)) / day.made);
      const share = day.defective / day.made;
      const lower = Math.max(0, mean - width);
      const upper = Math.min(1, mean + width);
      return { date: day.date, share, lower, upper, isOutlier: share > upper || share < lower };
    });
}
