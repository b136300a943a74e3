// Three comforts, and the pages work without them: each password field gets a button that shows
// what was typed, the summary of errors gets the focus, and a double click sends a form once. The
// words come from the page.
(() => {
  "use strict";

  const toggles = document.querySelectorAll("[data-parentauth-toggle]");

  const field = (toggle) => document.getElementById(toggle.getAttribute("aria-controls"));

  const show = (toggle, shown) => {
    field(toggle).type = shown ? "text" : "password";
    toggle.textContent = shown ? toggle.dataset.hide : toggle.dataset.show;
    toggle.setAttribute("aria-label", shown ? toggle.dataset.hideLabel : toggle.dataset.showLabel);
  };

  for (const toggle of toggles) {
    toggle.hidden = false;
    toggle.addEventListener("click", () => show(toggle, field(toggle).type === "password"));
    // Browsers and password managers save what is in a password field, not what is in plain text.
    toggle.form.addEventListener("submit", () => show(toggle, false));
  }

  // The second of two answers would say that the token was used: by the first.
  let sent = false;
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (sent) event.preventDefault();
    sent = true;
    // Whoever stopped it meanwhile may send it again.
    setTimeout(() => { sent = false; }, 5000);
  });
  window.addEventListener("pageshow", () => { sent = false; });

  document.querySelector("[data-parentauth-errors]")?.focus();
})();
