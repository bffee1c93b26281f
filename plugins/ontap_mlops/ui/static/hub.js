// Starts actions through Airflow's own REST API, follows runs, and lets links out of the frame that Airflow puts around.
"use strict";
(() => {
  const airflow = document.body.dataset.airflow;
  const framed = window.parent !== window;

  // Airflow's frame lets no page inside it lead the window elsewhere; a link of the window itself may.
  const lead = (href, target) => {
    const link = window.parent.document.createElement("a");
    link.href = href;
    if (target) {
      link.target = target;
      link.rel = "noopener noreferrer";
    }
    link.click();
  };
  const address = (path) => new URL(airflow + path, location.origin).href;

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow], a[data-outside]");
    if (!link || event.defaultPrevented) return;
    event.preventDefault();
    const outside = "outside" in link.dataset;
    const href = outside ? link.href : address(link.getAttribute("href"));
    if (framed) lead(href, outside || event.ctrlKey || event.metaKey ? "_blank" : "");
    else if (outside) window.open(href, "_blank", "noopener");
    else location.href = href;
  });

  const value = (field) => {
    if (field.type === "checkbox") return field.checked;
    if (field.value === "") return null;
    return field.type === "number" ? Number(field.value) : field.value;
  };

  const told = async (answer) => {
    if (answer.status === 403) return "Airflow refused: you may not start this DAG.";
    if (answer.status === 401) return "You are not logged in any more. Log in to Airflow again.";
    const body = await answer.json().catch(() => ({}));
    const detail = typeof body.detail === "string" ? body.detail : JSON.stringify(body.detail ?? body);
    return `Airflow refused (${answer.status}): ${detail}`;
  };

  const start = async (form) => {
    const conf = JSON.parse(form.dataset.conf);
    for (const field of form.elements) if (field.name) conf[field.name] = value(field);
    const dag = encodeURIComponent(form.dataset.dag);
    const answer = await fetch(address(`/api/v2/dags/${dag}/dagRuns`), {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ logical_date: null, conf, note: "Started from the data hub" }),
    });
    if (!answer.ok) throw new Error(await told(answer));
    return (await answer.json()).dag_run_id;
  };

  const say = (dag, run) => {
    const said = document.getElementById("said");
    const link = document.createElement("a");
    link.dataset.airflow = "";
    link.setAttribute("href", `/dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`);
    link.textContent = run;
    said.replaceChildren(`${dag} has started: `, link);
    link.focus();
  };

  const wire = (root) => {
    for (const button of root.querySelectorAll("button.start")) {
      const dialog = button.nextElementSibling;
      const form = dialog.querySelector("form");
      const refusal = form.querySelector(".refusal");
      button.addEventListener("click", () => {
        refusal.textContent = "";
        dialog.showModal();
      });
      form.querySelector(".cancel").addEventListener("click", () => dialog.close());
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const go = form.querySelector(".go");
        go.disabled = true;
        refusal.textContent = "";
        try {
          const run = await start(form);
          dialog.close();
          say(form.dataset.dag, run);
        } catch (error) {
          refusal.textContent = error.message;
        } finally {
          go.disabled = false;
        }
      });
    }
  };
  wire(document);

  // What nobody is using is exchanged for how it is now; an open part and the place of the keyboard stay.
  const again = async () => {
    const main = document.getElementById("main");
    if (document.hidden || document.querySelector("dialog[open]") || main.querySelector("details[open]")) return;
    if (main.contains(document.activeElement) && document.activeElement !== main) return;
    const answer = await fetch(location.href.replace(/([?&])refresh=true&?/, "$1"), { credentials: "same-origin" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    main.replaceChildren(...document.adoptNode(fresh).childNodes);
    wire(main);
  };
  const main = document.getElementById("main");
  const unanswered = () => "follow" in main.dataset || main.querySelector("[data-again]");
  setInterval(() => unanswered() && again(), 3000);
})();
