import { useState } from "react";
import "./page.css";

/** The page of module-code. Its settings come from the page around it. */
export default function Page({ settings }: { settings: { greeting: string } }) {
  const [count, setCount] = useState(0);
  return (
    <section className="module-code">
      <h1>module-code</h1>
      <button onClick={() => setCount(count + 1)}>
        {settings.greeting} ({count})
      </button>
    </section>
  );
}
