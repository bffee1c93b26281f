import { overTime, shares } from "./charts.js";
import { ask, callAddress, clock, complain, day, element } from "./parts.js";

const asked = new URLSearchParams(location.search);
const filters = document.getElementById("filters");
const page = Number(asked.get("page") ?? 1);

function address(changes) {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) next.set(name, value);
  return `history.html?${next}`;
}

function only(names) {
  return new URLSearchParams(names.filter((name) => asked.get(name)).map((name) => [name, asked.get(name)]));
}

function head(...names) {
  return element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
}

function mean(side) {
  return side.mean === null ? "" : side.mean.toFixed(2);
}

async function showAgents() {
  const { agents } = await ask("api/agents");
  const choice = filters.elements.agent;
  choice.append(...agents.map((one) => element("option", {}, one.agent)));
  choice.value = asked.get("agent") ?? "";
  const rows = agents.map((one) =>
    element(
      "tr",
      {},
      element("td", {}, element("a", { href: address({ agent: one.agent, page: 1 }) }, one.agent)),
      element("td", { class: "number" }, String(one.calls)),
      element("td", { class: "number" }, clock(one.seconds)),
      element("td", {}, shares(one.sides.caller)),
      element("td", { class: "number" }, mean(one.sides.caller)),
      element("td", {}, shares(one.sides.agent)),
      element("td", { class: "number" }, mean(one.sides.agent)),
    ),
  );
  const names = head("Agent", "Calls", "Length", "Callers", "Mean", "Agent's own", "Mean");
  document.getElementById("agents").replaceChildren(names, ...rows);
}

async function showTime() {
  const { summary } = await ask(`api/summary?by=day&${only(["agent", "since", "about"])}`);
  const place = document.getElementById("time");
  place.replaceChildren(summary.length ? overTime(summary) : "No calls.");
}

async function showAbout() {
  const { about } = await ask(`api/about?${only(["agent", "since", "until"])}`);
  document.getElementById("topics").replaceChildren(...about.map((one) => element("option", { value: one.name })));
  const rows = about.map((one) =>
    element(
      "tr",
      {},
      element("td", {}, element("a", { href: address({ about: one.name, page: 1 }) }, one.name)),
      element("td", {}, one.kind),
      element("td", { class: "number" }, String(one.calls)),
      element("td", {}, shares(one.sentiment)),
      element("td", { class: "number" }, mean(one.sentiment)),
    ),
  );
  const names = head("About", "Is", "Calls", "Sentences", "Mean");
  document.getElementById("about").replaceChildren(...(rows.length ? [names, ...rows] : []));
}

async function showWords() {
  const { words } = await ask(`api/words?${only(["agent", "since"])}`);
  const lines = Object.entries(words).map(([sentiment, found]) => {
    const told = found.map((one) => `${one.word} ${one.sentences}`).join(" · ") || "no word is said more often than elsewhere";
    return element("p", {}, element("span", { class: `is ${sentiment}` }, sentiment), told);
  });
  document.getElementById("words").replaceChildren(...lines);
}

async function showCalls() {
  const { calls, more } = await ask(`api/calls?${only(["agent", "since", "until", "about", "page"])}`);
  const rows = calls.map((one) =>
    element(
      "tr",
      {},
      element("td", {}, element("a", { href: callAddress(one.call) }, one.call)),
      element("td", {}, one.agent),
      element("td", {}, day(one.began)),
      element("td", { class: "number" }, clock(one.seconds)),
      element("td", {}, shares(one.sides.caller)),
      element("td", {}, shares(one.sides.agent)),
    ),
  );
  document.getElementById("table").replaceChildren(head("Call", "Agent", "Began", "Length", "Caller", "Agent"), ...rows);
  const pages = [];
  if (page > 1) pages.push(element("a", { href: address({ page: page - 1 }) }, "Later"));
  if (more) pages.push(element("a", { href: address({ page: page + 1 }) }, "Earlier"));
  document.getElementById("pages").replaceChildren(...pages);
}

for (const name of ["since", "until", "about"]) filters.elements[name].value = asked.get(name) ?? "";
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  const next = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  location.assign(`history.html?${next}`);
});
Promise.all([showAgents(), showTime(), showWords(), showAbout(), showCalls()]).catch(complain);
