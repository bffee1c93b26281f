// Small charts. What is positive stands above the line and what is negative below it, so that colour is not needed.

import { SENTIMENTS, SIDES, clock, drawn, meant } from "./parts.js";

const LEVEL = { negative: 1, neutral: 0, positive: -1 };

function bar(x, middle, width, height, sentiment) {
  const level = LEVEL[sentiment];
  const y = level === 0 ? middle - 1.5 : level < 0 ? middle - height : middle;
  return drawn("rect", { class: sentiment, x, y, width, height: level === 0 ? 3 : height });
}

// The latest sentences of one call, the last one at the right.
export function spark(sentences) {
  const shown = sentences.slice(-24);
  const says = `The last sentiments: ${shown.map((one) => meant(one).sentiment).join(", ")}`;
  return drawn(
    "svg",
    { width: 170, height: 28, role: "img", "aria-label": says },
    ...shown.map((one, n) => bar(n * 7, 14, 5, one.side === "caller" ? 13 : 6, meant(one).sentiment)),
  );
}

// A whole call: who said what kind of thing when.
export function strip(sentences, seconds) {
  const width = 1040;
  const left = 60;
  const long = Math.max(seconds, ...sentences.map((one) => one.end), 1);
  const x = (at) => left + (at / long) * (width - left - 10);
  const marks = [0, 0.25, 0.5, 0.75, 1].map((part) =>
    drawn("text", { x: x(long * part), y: 116, "text-anchor": part === 1 ? "end" : "middle" }, clock(long * part)),
  );
  const rows = SIDES.map((side, n) => {
    const middle = 25 + n * 50;
    return drawn(
      "g",
      {},
      drawn("text", { x: 0, y: middle + 4 }, side),
      drawn("line", { class: "axis", x1: left, x2: width - 10, y1: middle, y2: middle }),
      ...sentences
        .filter((one) => one.side === side)
        .map((one) => bar(x(one.start), middle, Math.max(3, x(one.end) - x(one.start)), 18, meant(one).sentiment)),
    );
  });
  const says = "Sentiment of both sides over the time of the call; each sentence is in the list below";
  return drawn("svg", { viewBox: `0 0 ${width} 120`, width: "100%", role: "img", "aria-label": says }, ...rows, ...marks);
}

// How many sentences of one side were what.
export function shares(side) {
  const width = 160;
  const total = SENTIMENTS.reduce((sum, name) => sum + side[name], 0);
  let x = 0;
  const parts = SENTIMENTS.map((name) => {
    const wide = total ? (side[name] / total) * width : 0;
    x += wide;
    return drawn("rect", { class: name, x: x - wide, y: 2, width: wide, height: 12 }, drawn("title", {}, `${side[name]} ${name}`));
  });
  const says = SENTIMENTS.map((name) => `${side[name]} ${name}`).join(", ");
  return drawn("svg", { width, height: 16, role: "img", "aria-label": says }, ...parts);
}

// The mean of both sides' sentiment, day by day: from -1, all negative, to 1, all positive.
export function overTime(days) {
  const width = 1040;
  const height = 200;
  const left = 40;
  const y = (mean) => 20 + ((1 - mean) / 2) * (height - 50);
  const x = (n) => (days.length === 1 ? width / 2 : left + (n / (days.length - 1)) * (width - left - 60));
  const lines = SIDES.flatMap((side) => {
    const points = days.map((one, n) => [x(n), one.sides[side].mean, one.day]).filter(([, mean]) => mean !== null);
    if (!points.length) return [];
    const [lastX, lastMean] = points.at(-1);
    const other = days.at(-1).sides[side === "agent" ? "caller" : "agent"].mean;
    const lower = lastMean < other || (lastMean === other && side === "caller");
    return [
      drawn("polyline", { class: side, points: points.map(([at, mean]) => `${at},${y(mean)}`).join(" ") }),
      ...points.map(([at, mean, day]) =>
        drawn("circle", { class: side, cx: at, cy: y(mean), r: 3 }, drawn("title", {}, `${day}, ${side}: ${mean}`)),
      ),
      drawn("text", { x: lastX + 8, y: y(lastMean) + (lower ? 12 : -4) }, side),
    ];
  });
  const levels = [-1, 0, 1].map((mean) =>
    drawn(
      "g",
      {},
      drawn("text", { x: 0, y: y(mean) + 4 }, String(mean)),
      drawn("line", { class: "axis", x1: left - 10, x2: width, y1: y(mean), y2: y(mean) }),
    ),
  );
  const ends = [0, days.length - 1].map((n, last) =>
    drawn("text", { x: x(n), y: height - 6, "text-anchor": last ? "end" : "start" }, days[n].day),
  );
  const says = days.map((one) => `${one.day}: agents ${one.sides.agent.mean}, callers ${one.sides.caller.mean}`).join("; ");
  const inside = days.length === 1 ? ends.slice(0, 1) : ends;
  return drawn("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": says }, ...levels, ...lines, ...inside);
}
