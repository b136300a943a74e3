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

  for (const form of document.forms) {
    // The second of two answers would say that the token was used: by the first.
    form.addEventListener("submit", (event) => {
      if (form.dataset.parentauthSent) event.preventDefault();
      form.dataset.parentauthSent = "yes";
    });
    window.addEventListener("pageshow", () => delete form.dataset.parentauthSent);
  }

  document.querySelector("[data-parentauth-errors]")?.focus();
})();
