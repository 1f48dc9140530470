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
    document.getElementById("lost").hidden = true;
    const mine = state && state.dataset.running === "true" ? Number(state.dataset.job) : 0;
    const begun = news.job && news.job.id === mine;
    if (mine && (!news.unended.includes(mine) || (begun && state.dataset.waits === "true"))) {
      location.reload();
    } else if (mine && begun) {
      document.getElementById("job-log").textContent = news.job.log;
    } else if (!mine && news.stamp !== stamp) {
      document.getElementById("changed").hidden = false;
    }
  };
  events.onerror = () => {
    document.getElementById("lost").hidden = false;
  };
  addEventListener("pagehide", () => events.close());
}
