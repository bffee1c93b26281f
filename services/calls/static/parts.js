// What the pages share. Everything people say is put in as text; nothing of it is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";
export const SIDES = ["agent", "caller"];
export const SENTIMENTS = ["negative", "neutral", "positive"];
const SIGNS = { negative: "−", neutral: "·", positive: "+" };
const KEPT_NAME = "name of who corrects";
const AGAIN_MS = 1000;

function made(node, facts, inside) {
  for (const [name, value] of Object.entries(facts)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...inside);
  return node;
}

export function element(name, facts = {}, ...inside) {
  return made(document.createElement(name), facts, inside);
}

export function drawn(name, facts = {}, ...inside) {
  return made(document.createElementNS(SVG, name), facts, inside);
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The service does not answer; try again.");
  }
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

export function complain(error) {
  const place = document.getElementById("trouble");
  place.hidden = !error;
  place.textContent = error ? error.message : "";
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function day(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export function callAddress(call) {
  return `call.html?call=${encodeURIComponent(call)}`;
}

// What counts is what people say it is, where they did.
export function meant(one) {
  return { text: one.corrected?.text ?? one.text, sentiment: one.corrected?.sentiment ?? one.sentiment };
}

export function keyOf(one) {
  return `${one.call}/${one.side}/${one.index}`;
}

function chip(sentiment) {
  return element("span", { class: `is ${sentiment}` }, `${SIGNS[sentiment]} ${sentiment}`);
}

// One sentence as a line of a list; `named` says agent and call as well, for a list of several calls.
export function line(one, named) {
  const item = element("li", { "data-key": keyOf(one), "data-agent": one.agent });
  fill(item, one, named);
  return item;
}

// Show a sentence in its line, unless somebody is just correcting it: then when that is done.
export function fill(item, one, named) {
  item.newest = one;
  if (item.querySelector("form")) return;
  const focused = item.contains(document.activeElement);
  const { text, sentiment } = meant(one);
  const button = element("button", { type: "button", "aria-label": `Correct: ${text}` }, "Correct");
  const who = named
    ? [`${one.side === "agent" ? "" : "caller of "}${one.agent} · `, element("a", { href: callAddress(one.call) }, one.call)]
    : [one.side === "agent" ? one.agent : "caller"];
  item.className = `${one.side} ${sentiment}`;
  item.replaceChildren(
    element("small", {}, ...who, ` · ${clock(one.start)}`),
    element("p", { class: "said" }, text),
    element("small", {}, chip(sentiment), button),
  );
  if (one.corrected) {
    item.append(element("small", {}, `${one.corrected.by} corrected “${one.text}”, ${one.sentiment}`));
  }
  button.addEventListener("click", () => correct(item, one, named));
  if (focused) button.focus();
}

function correct(item, one, named) {
  if (item.querySelector("form")) return;
  const { text, sentiment } = meant(one);
  const words = element("textarea", { name: "text", rows: 2, maxlength: 10000 });
  words.value = text;
  const choice = element("select", { name: "sentiment" }, ...SENTIMENTS.map((each) => element("option", {}, each)));
  choice.value = sentiment;
  const by = element("input", { name: "by", required: true, maxlength: 200, autocomplete: "name" });
  by.value = localStorage.getItem(KEPT_NAME) ?? "";
  const fault = element("small", { class: "trouble", role: "alert" });
  const cancel = element("button", { type: "button" }, "Cancel");
  const form = element(
    "form",
    { class: "correction" },
    element("label", {}, "What was said", words),
    element("label", {}, "Sentiment", choice),
    element("label", {}, "Your name", by),
    element("span", {}, element("button", { type: "submit" }, "Save"), " ", cancel),
    fault,
  );
  function close(now) {
    form.remove();
    fill(item, now, named);
    item.querySelector("button").focus();
  }
  cancel.addEventListener("click", () => close(item.newest));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(item.newest);
    // In the words, Enter saves; Shift and Enter begins a line.
    if (event.key === "Enter" && event.target === words && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    localStorage.setItem(KEPT_NAME, by.value);
    const content = { text: words.value, sentiment: choice.value, by: by.value };
    const path = `api/calls/${encodeURIComponent(one.call)}/sentences/${one.side}/${one.index}/correction`;
    try {
      close(await ask(path, { method: "PUT", body: JSON.stringify(content) }));
    } catch (error) {
      fault.textContent = error.message;
    }
  });
  item.append(form);
  words.focus();
}

// Follow what happens, for as long as the page is open. A server that goes away is asked again, from the last event on.
export function follow(take, state) {
  let last = null;
  function open() {
    const events = new EventSource(last === null ? "api/live" : `api/live?after=${last}`);
    events.addEventListener("open", () => state("Live", false));
    events.addEventListener("sentence", (event) => {
      last = event.lastEventId;
      take(JSON.parse(event.data));
    });
    events.addEventListener("trouble", (event) => {
      if (JSON.parse(event.data)) state("The database does not answer; trying again.", true);
      else state("Live", false);
    });
    events.addEventListener("error", () => {
      state("The service does not answer; trying again.", true);
      // Chromium comes back by itself after some faults and gives up after others.
      if (events.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS);
    });
  }
  open();
}

export function showState(text, trouble) {
  const place = document.getElementById("state");
  place.textContent = text;
  place.classList.toggle("trouble", trouble);
}
