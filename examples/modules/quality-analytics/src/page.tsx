import { useEffect, useState } from "react";
import { Chart } from "./chart";
import { type Call, readDays } from "./production";
import { controlChart, type Day, meanShare, type Point } from "./statistics";
import { words } from "./words";
import "./page.css";

interface Props {
  /** Calls a route of the module, as the user. */
  call: Call;
  /** The module's settings in this plant. */
  settings: { days: number; sigmas: number };
  /** The line to show. */
  line: string;
  /** The user's language, such as `ko`. */
  language: string;
}

/** The page of Quality Analytics: a line's p-chart; a day can be sent to review. */
export default function Page({ call, settings, line, language }: Props) {
  const [days, setDays] = useState<Day[]>([]);
  const [chosen, setChosen] = useState<Point>();
  const [isSent, setSent] = useState(false);
  const say = words(language);

  useEffect(() => {
    let isShown = true;
    void readDays(call, line, settings.days, new Date()).then((read) => isShown && setDays(read));
    return () => {
      isShown = false;
    };
  }, [call, line, settings.days]);

  const choose = (point: Point) => {
    setSent(false);
    setChosen(point);
  };
  const review = async (point: Point) => {
    const input = { line, date: point.date, defect_rate: point.share, is_outlier: point.isOutlier };
    await call("/review", { workflow: "workflows/quality-analytics.review-lot", input, requestId: crypto.randomUUID() });
    setSent(true);
  };

  return (
    <section className="quality">
      <h1>
        {say.title} · {line}
      </h1>
      <Chart points={controlChart(days, settings.sigmas)} mean={meanShare(days)} choose={choose} />
      <p>
        {say.mean}: {(100 * meanShare(days)).toFixed(2)} %
      </p>
      {chosen && (
        <button disabled={isSent} onClick={() => void review(chosen)}>
          {isSent ? say.sent : `${say.review}: ${chosen.date}`}
        </button>
      )}
    </section>
  );
}
