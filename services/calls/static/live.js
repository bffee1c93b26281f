import { spark } from "./charts.js";
import { callAddress, element, fill, follow, keyOf, line, showState } from "./parts.js";

const MOST_LINES = 500;
const MOST_CALLS = 12;
const MOST_OF_A_CALL = 60;
const list = document.getElementById("sentences");
const cards = document.getElementById("calls");
const choice = document.getElementById("agent");
const lines = new Map(); // key of a sentence -> its line
const calls = new Map(); // call -> its sentences by key, the call that spoke last at the end
const agents = new Set();

function take(one) {
  document.getElementById("none").hidden = true;
  const key = keyOf(one);
  if (lines.has(key)) {
    fill(lines.get(key), one, true);
  } else {
    const item = line(one, true);
    item.hidden = unwanted(item);
    lines.set(key, item);
    list.prepend(item);
    if (lines.size > MOST_LINES) forget();
  }
  if (!agents.has(one.agent)) {
    agents.add(one.agent);
    choice.append(element("option", {}, one.agent));
  }
  remember(one, key);
}

function unwanted(item) {
  return Boolean(choice.value) && choice.value !== item.dataset.agent;
}

function forget() {
  const [key, item] = lines.entries().next().value;
  lines.delete(key);
  item.remove();
}

function remember(one, key) {
  const known = calls.get(one.call) ?? { sentences: new Map(), card: element("li") };
  known.sentences.set(key, one);
  if (known.sentences.size > MOST_OF_A_CALL) known.sentences.delete(known.sentences.keys().next().value);
  known.card.replaceChildren(
    element("a", { href: callAddress(one.call) }, one.call),
    ` ${one.agent}`,
    spark([...known.sentences.values()].sort((a, b) => a.start - b.start)),
  );
  calls.delete(one.call);
  calls.set(one.call, known);
  cards.prepend(known.card);
  if (calls.size > MOST_CALLS) {
    const [oldest, { card }] = calls.entries().next().value;
    calls.delete(oldest);
    card.remove();
  }
}

choice.addEventListener("change", () => {
  for (const item of lines.values()) item.hidden = unwanted(item);
});

showState("Connecting", false);
follow(take, showState);
