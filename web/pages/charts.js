// Charts of throughput, queue time and run time over the last minutes, hour or day.
import { html, useEffect, useRef, useState } from "../html.js";
import { get } from "../api.js";
import { clock, dateTime, duration, number } from "../format.js";
import { Failed, useLoaded, useTick } from "../ui.js";

// The windows, with the milliseconds between two requests. A step of a window is no shorter.
const WINDOWS = [["5m", "5 minutes", 5000], ["1h", "hour", 20_000], ["1d", "day", 60_000]];
const HEIGHT = 170;

const counts = (name) => ({ color: { created: "pending", completed: "completed", failed: "failed", retried: "processing" }[name], name, of: (point) => point[name] });
const times = (kind) => ["p50", "p95", "max"].map((name) => ({
  color: { p50: "completed", p95: "processing", max: "failed" }[name], name, of: (point) => point[kind]?.[name] ?? null,
}));
const CHARTS = [
  { title: "Tasks", series: ["created", "completed", "failed", "retried"].map(counts), words: (value) => number(value) },
  { title: "Queue time", series: times("wait_seconds"), words: duration },
  { title: "Run time", series: times("run_seconds"), words: duration },
];

export function Charts() {
  const [name, setName] = useState("5m");
  const tick = useTick(WINDOWS.find(([window]) => window === name)[2]);
  const { value, error, look } = useLoaded((signal) => get("stats", { window: name }, signal), [tick], name);
  return html`<section aria-label="Charts" class="charts">
    <div class="buttons" role="group" aria-label="Window of the charts"><span>Last</span>${WINDOWS.map(([window, words]) => html`<button key=${window} type="button"
      aria-pressed=${window === name} onClick=${() => setName(window)}>${words}</button>`)}</div>
    ${error && html`<${Failed} error=${error} again=${look}/>`}
    <div class="columns">${CHARTS.map((chart) => html`<${Chart} key=${chart.title} ...${chart} answer=${value}/>`)}</div>
  </section>`;
}

// Returns a number that grows when the theme changes, by the system or by the user.
function useTheme() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const changed = () => setCount((old) => old + 1);
    const media = matchMedia("(prefers-color-scheme: dark)");
    const observer = new MutationObserver(changed);
    media.addEventListener("change", changed);
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => { media.removeEventListener("change", changed); observer.disconnect(); };
  }, []);
  return count;
}

function Chart({ title, series, words, answer }) {
  const box = useRef();
  const legend = useRef();
  const [at, setAt] = useState(null);
  const theme = useTheme();
  const points = answer?.points ?? [];
  const data = [points.map((point) => Date.parse(point.at) / 1000), ...series.map(({ of }) => points.map(of))];
  const plot = useRef({ chart: null, data: null });
  plot.current.data = data;
  useEffect(() => {
    let isGone = false;
    const place = box.current;
    const colours = legend.current;
    const resized = new ResizeObserver(() => {
      if (place.isConnected) plot.current.chart?.setSize({ width: place.clientWidth, height: HEIGHT });
    });
    import("../vendor/uplot.js").then(({ default: UPlot }) => {
      if (isGone || !place.isConnected) return;
      plot.current.chart = new UPlot(looks(place, colours, series, words, setAt), plot.current.data, place);
      resized.observe(place);
    });
    return () => {
      isGone = true;
      resized.disconnect();
      plot.current.chart?.destroy();
      plot.current.chart = null;
    };
  }, [theme]);
  useEffect(() => { plot.current.chart?.setData(data); }, [answer]);
  const index = at !== null && at < points.length ? at : points.length - 1;
  const shown = points[index];
  return html`<figure>
    <figcaption>${title} <span class="total">${shown ? `${at === null ? "latest, " : ""}${answer.window === "1d" ? dateTime(shown.at) : clock(shown.at)}` : ""}</span></figcaption>
    <div class="plot" ref=${box} role="img" aria-label=${summary(title, series, words, answer)}></div>
    <ul class="legend" ref=${legend}>${series.map(({ name, color, of }) => html`<li key=${name} class=${`of-${color}`}><i></i>${name}
      <b>${shown && of(shown) !== null ? words(of(shown)) : "–"}</b></li>`)}</ul></figure>`;
}

// Describes the curves for screen readers.
function summary(title, series, words, answer) {
  if (!answer) return `${title}: loading`;
  const most = series.map(({ name, of }) => {
    const values = answer.points.map(of).filter((value) => value !== null);
    return `${name} at most ${values.length === 0 ? "–" : words(Math.max(...values))}`;
  });
  return `${title} in the last ${WINDOWS.find(([window]) => window === answer.window)[1]}, in steps of ${duration(answer.step_seconds)}: ${most.join(", ")}`;
}

// Returns the options of uPlot. The colours come from the legend, so they follow the theme.
function looks(box, legend, series, words, setAt) {
  const text = getComputedStyle(box).color;
  const line = getComputedStyle(box).borderTopColor;
  const font = "12px system-ui, sans-serif";
  const axis = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false } },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, values: times24 }, { ...axis, size: 66, values: (_, values) => values.map((value) => onAxis(value, words)) }],
    series: [{}, ...series.map((_, index) => ({
      stroke: getComputedStyle(legend.children[index].querySelector("i")).color,
      width: 2,
      // A step whose neighbours are empty has no line, so its point is drawn.
      points: { show: words === duration, size: 4 },
    }))],
    hooks: { setCursor: [(chart) => setAt(chart.cursor.idx ?? null)] },
  };
}

// Leaves out fractions on an axis that counts tasks.
function onAxis(value, words) {
  if (value === 0) return "0";
  return words === duration || Number.isInteger(value) ? words(value) : "";
}

const times24 = (_, values) => values.map((value) => clock(value * 1000).replace(/:00$/, ""));
