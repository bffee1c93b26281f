import { strip } from "./charts.js";
import { ask, clock, complain, day, element, fill, follow, keyOf, line, showState } from "./parts.js";

const name = new URLSearchParams(location.search).get("call") ?? "";
const list = document.getElementById("sentences");
const known = new Map(); // key -> sentence
let call = null;

function place(one) {
  known.set(keyOf(one), one);
  const shown = list.querySelector(`[data-key="${CSS.escape(keyOf(one))}"]`);
  if (shown) {
    fill(shown, one, false);
    return;
  }
  const after = [...list.children].find((item) => known.get(item.dataset.key).start > one.start);
  list.insertBefore(line(one, false), after ?? null);
}

function draw() {
  document.getElementById("strip").replaceChildren(strip([...known.values()], call.seconds));
}

async function show() {
  call = await ask(`api/calls/${encodeURIComponent(name)}`);
  document.title = `Call ${call.call}`;
  document.querySelector("h1").textContent = `Call ${call.call}`;
  const source = call.source;
  document.getElementById("facts").replaceChildren(
    element("a", { href: `history.html?agent=${encodeURIComponent(call.agent)}` }, call.agent),
    ` · ${day(call.began)} · ${clock(call.seconds)} · ${call.finished === null ? "not finished" : `${call.finished} sentences`}`,
    ` · ${source.file} of ${source.dataset} ${source.version}`,
  );
  document.getElementById("about").replaceChildren(
    ...call.about.flatMap((one, at) => [
      at ? " · " : "About ",
      element("a", { href: `history.html?about=${encodeURIComponent(one.name)}`, title: one.kind }, one.name),
    ]),
  );
  list.replaceChildren();
  for (const one of call.sentences) place(one);
  draw();
}

function take(one) {
  if (one.call !== name || call === null) return;
  place(one);
  draw();
}

show().then(() => follow(take, showState), complain);
