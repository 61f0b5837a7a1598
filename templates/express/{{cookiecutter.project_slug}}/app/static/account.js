// Sends the token of a link in a mail, with what the form asks for.
// The token stands behind the #: it never reaches a server's log or another site's referrer.
const form = document.querySelector("form");
const outcome = document.querySelector("#outcome");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

function refusal(problem) {
  const errors = problem.errors ?? [];
  if (errors.some(({ pointer }) => pointer === "#/token")) {
    return "This link was used already or is too old; ask for a new one.";
  }
  return (
    errors.map(({ pointer, detail }) => `${pointer.slice(2)} ${detail}`).join("; ") ||
    problem.detail
  );
}

async function send(event) {
  event.preventDefault();
  const body = { token: token ?? "", ...Object.fromEntries(new FormData(form)) };
  const request = { method: "POST", headers: { "Content-Type": "application/json" } };
  try {
    const answer = await fetch(form.dataset.path, { ...request, body: JSON.stringify(body) });
    outcome.textContent = answer.ok ? form.dataset.done : refusal(await answer.json());
    form.hidden = answer.ok;
  } catch {
    outcome.textContent = "The app did not answer; try again.";
  }
}

form.addEventListener("submit", send);
