// Tokens and estimated cost: of one conversation turn by turn, and of the day.
const count = (number) => Number(number || 0).toLocaleString();
const cost = (usd) => (typeof usd === "number" ? `~$${usd.toFixed(usd < 0.01 ? 4 : 2)}` : "unknown");

function day({ day: date, tokens, usd, reserved_tokens: held, token_limit: most, usd_limit: mostUsd, resets }) {
  const bar = (value, limit, words) => element("label", {}, words,
    element("progress", { value: String(Math.min(value, limit)), max: String(limit) }));
  return element("section", { "aria-label": "Today" },
    element("h2", {}, `Today, ${date} (UTC)`),
    element("p", {}, `${count(tokens)} tokens, ${cost(usd)}${held ? `, ${count(held)} more in flight` : ""}.`),
    most ? bar(tokens, most, `Of the limit of ${count(most)} tokens`) : null,
    mostUsd ? bar(usd || 0, mostUsd, `Of the limit of $${mostUsd}`) : null,
    (most || mostUsd) ? element("p", { class: "dim" }, resets) : null);
}

function conversation({ id, turns, tokens, usd, unpriced }) {
  const without = unpriced && typeof usd === "number" ? `, without ${count(unpriced)} whose price is unknown` : "";
  return element("section", { "aria-label": "Conversation" },
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Turns" },
      element("table", {},
        element("caption", {}, `Conversation ${id}: ${count(tokens)} tokens, ${cost(usd)}${without}`),
        element("thead", {}, element("tr", {}, ...["Turn", "Kind", "Status", "Model", "Tokens", "Estimated"]
          .map((each) => element("th", { scope: "col" }, each)))),
        element("tbody", {}, ...turns.map((turn) => element("tr", {},
          element("th", { scope: "row" }, String(turn.turn)), element("td", {}, turn.kind), element("td", {}, turn.status),
          element("td", { dir: "auto" }, turn.model || ""), element("td", {}, count(turn.tokens)),
          element("td", {}, cost(turn.usd))))))));
}

function draw(news, id) {
  show(element("h1", {}, "Gemini usage"), news.conversation ? conversation(news.conversation) : null,
    news.today ? day(news.today) : null,
    embedded ? null : element("p", { class: "row" }, button("Refresh", () => look(id))));
}

async function look(id) {
  try {
    const { text } = await host.call("gemini_view_usage", id ? { conversation_id: id } : {});
    draw(JSON.parse(text), id);
  } catch (problem) { say(problem.message); }
}

const named = (text) => (/\bc_[0-9a-z]{10}\b/.exec(text || "") || [""])[0];
start("gemini-usage", () => {}, ({ data, facts, text }) => {
  if (data) draw(data);
  else look(named(facts.conversation_id) || named(text));
});
