// Deep Research: the plan with approve and change, what it does right now, the report, cancel.
const SECONDS_BETWEEN_LOOKS = 5;
let id = "";
let state = null;
let report = "";
let timer = 0;
const activity = [];

const words = {
  running: "Running", plan_ready: "The plan waits for you", completed: "Completed", incomplete: "Incomplete",
  failed: "Failed", cancelled: "Cancelled", interrupted: "Interrupted", stalled: "Stalled",
  requires_action: "Waits for function results",
};

function draw() {
  const isRunning = state.status === "running";
  show(
    element("h1", { dir: "auto" }, state.question || "Deep Research"),
    element("p", { class: "dim" }, [words[state.status] || state.status, state.elapsed, state.id].filter(Boolean).join(" · ")),
    state.note ? element("p", { dir: "auto" }, state.note) : null,
    isRunning ? element("progress", { "aria-label": "Research is running" }) : null,
    activity.length && isRunning ? element("section", { class: "box", "aria-label": "Activity" },
      element("ol", {}, ...activity.slice(-12).map((line) => element("li", { dir: "auto" }, line)))) : null,
    state.plan ? element("section", { class: "box", "aria-label": "Plan" }, ...markdown(state.plan)) : null,
    state.can_approve && !embedded ? planControls() : null,
    isRunning && !embedded ? element("p", { class: "row" }, button("Cancel this research", cancel)) : null,
    report ? element("article", { "aria-label": "Report" }, ...numbered(markdown(report))) : null,
  );
}

// The entries of the source list can be followed back to from their marks in the text.
function numbered(parts) {
  const at = parts.map((each) => each.textContent.trim()).lastIndexOf("Sources:");
  for (const part of at < 0 ? [] : parts.slice(at + 1)) {
    for (const entry of part.querySelectorAll("li[data-number]")) {
      entry.id = `source-${entry.dataset.number}`;
      entry.tabIndex = -1;
    }
  }
  return parts;
}

function planControls() {
  const changes = element("textarea", { "data-key": "changes", dir: "auto" });
  return element("div", {},
    element("p", { class: "row" }, button("Approve and run", () => go({ research_id: id }), "primary")),
    element("label", {}, "What should change in the plan?", changes),
    element("p", { class: "row" }, button("Ask for a changed plan", () => {
      if (!changes.value.trim()) { say("Say what should change first."); changes.focus(); return; }
      go({ research_id: id, changes: changes.value }, () => { changes.value = ""; });
    })));
}

async function go(given, done = () => {}) {
  say("Sending…");
  try {
    await host.call("approve_research_plan", given);
    done();
    say(given.changes ? "A changed plan is on its way." : "The research is running.");
    await look();
  } catch (problem) { say(problem.message); }
}

async function cancel() {
  if (!(await ask("Cancel this research? What it has found so far may be lost.", "Cancel it"))) return;
  say("Cancelling…");
  try { await host.call("cancel_research", { research_id: id }); say("Cancelled."); } catch (problem) { say(problem.message); }
  await look();
}

async function look() {
  clearTimeout(timer);
  try {
    const { text } = await host.call("gemini_view_research", { research_id: id });
    take(JSON.parse(text));
    if (state.has_report && !report) report = (await host.read(`gemini://research/${state.id}/report`)).text || "";
  } catch (problem) { say(problem.message); }
  if (!state) return;
  draw();
  if (state.status === "running") timer = setTimeout(look, SECONDS_BETWEEN_LOOKS * 1000);
}

function take(news) {
  if (state && state.status !== news.status) say(words[news.status] || news.status);
  if (state && state.turn !== news.turn) report = "";
  state = news;
  if (news.doing && activity[activity.length - 1] !== news.doing) activity.push(news.doing);
}

const named = (text) => (/\br_[0-9a-z]{10}\b/.exec(text || "") || [""])[0];
host.on("teardown", () => clearTimeout(timer));
start("gemini-research", (given) => {
  const found = named(given.research_id);
  if (found) { id = found; look(); }
}, ({ data, facts, text, isError }) => {
  if (data) { take(data); report = data.report || ""; draw(); return; }
  const found = named(facts.research_id) || named(text);
  if (found) { id = found; look(); } else if (isError || !id) show(element("p", { dir: "auto", class: isError ? "bad" : "" }, text.split("\n---\n")[0]));
});
