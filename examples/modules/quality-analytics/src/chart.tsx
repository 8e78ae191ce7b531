import type { Point } from "./statistics";

const WIDTH = 640;
const HEIGHT = 240;
const MARGIN = 24;

/** Draws a p-chart: the limits as a band, the shares as a line, and what lies outside as marks that can be chosen. */
export function Chart(props: { points: Point[]; mean: number; choose: (point: Point) => void }) {
  const { points, mean, choose } = props;
  const highest = Math.max(0.01, ...points.map((point) => Math.max(point.share, point.upper)));
  const x = (index: number) => MARGIN + (index * (WIDTH - 2 * MARGIN)) / Math.max(1, points.length - 1);
  const y = (share: number) => HEIGHT - MARGIN - (share / highest) * (HEIGHT - 2 * MARGIN);
  const path = (share: (point: Point) => number) => points.map((point, index) => `${x(index)},${y(share(point))}`);
  const band = [...path((point) => point.upper), ...path((point) => point.lower).reverse()];
  return (
    <svg className="quality-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img">
      <polygon className="band" points={band.join(" ")} />
      <line className="mean" x1={MARGIN} x2={WIDTH - MARGIN} y1={y(mean)} y2={y(mean)} />
      <polyline className="shares" points={path((point) => point.share).join(" ")} />
      {points.map((point, index) => (
        <circle
          key={point.date}
          className={point.isOutlier ? "outlier" : "day"}
          cx={x(index)}
          cy={y(point.share)}
          r={point.isOutlier ? 6 : 3}
          onClick={() => choose(point)}
        >
          <title>{`${point.date}: ${(100 * point.share).toFixed(2)} %`}</title>
        </circle>
      ))}
    </svg>
  );
}
