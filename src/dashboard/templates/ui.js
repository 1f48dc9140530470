// Everything works without this file. It adds keys for labelling, a notice when the loop has changed, and a log that grows.
"use strict";

const token = new URLSearchParams(location.hash.slice(1)).get("token");
const field = document.getElementById("token");
if (token && field) {
  field.value = token;
  history.replaceState(null, "", location.pathname);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const key = event.key.toLowerCase();
  for (const target of document.querySelectorAll("[data-key]")) {
    if (target.dataset.key === key) {
      event.preventDefault();
      target.click();
      return;
    }
  }
});

// A second click must not send a form twice.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}

const stamp = document.body.dataset.stamp;
const state = document.getElementById("job-state");
if (stamp && window.EventSource) {
  const events = new EventSource("/ui/events");
  events.onmessage = (message) => {
    const news = JSON.parse(message.data);
    if (state && news.job && String(news.job.id) === state.dataset.job && state.dataset.running === "true") {
      document.getElementById("job-log").textContent = news.job.log;
      if (news.job.ended) location.reload();
    } else if (news.stamp !== stamp) {
      document.getElementById("changed").hidden = false;
    }
  };
  addEventListener("pagehide", () => events.close());
}
