import type { Day } from "./statistics";

/** Calls a route of the module; the page that shows the module gives it. */
export type Call = (route: string, request: object) => Promise<unknown>;

interface Answer {
  rows?: { keys: string[]; values: { value?: number }[] }[];
  nextPageToken?: string;
}

/** Reads a line's last days, oldest first. */
export async function readDays(call: Call, line: string, count: number, today: Date): Promise<Day[]> {
  const request = {
    filter: { fromDate: isoDate(today, -count), toDate: isoDate(today, 0), lines: [line] },
    groupBy: ["DIMENSION_DATE"],
    measures: ["MEASURE_TOTAL_QTY", "MEASURE_DEFECT_QTY"],
    pageSize: 500,
  };
  const answer = (await call("/production", request)) as Answer;
  return (answer.rows ?? []).map((row) => ({
    date: row.keys[0],
    made: row.values[0].value ?? 0,
    defective: row.values[1].value ?? 0,
  }));
}

function isoDate(today: Date, days: number): string {
  const date = new Date(today);
  date.setDate(date.getDate() + days);
  return date.toLocaleDateString("sv");
}
