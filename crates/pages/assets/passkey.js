// The one script of these pages: it asks the browser for a passkey and posts the answer.
"use strict";
(() => {
  const octets = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const descriptors = (list) => (list || []).map((item) => ({ ...item, id: octets(item.id) }));
  const wanted = (options) => {
    const key = { ...options.publicKey || options };
    key.challenge = octets(key.challenge);
    if (key.user) key.user = { ...key.user, id: octets(key.user.id) };
    if (key.allowCredentials) key.allowCredentials = descriptors(key.allowCredentials);
    if (key.excludeCredentials) key.excludeCredentials = descriptors(key.excludeCredentials);
    return key;
  };
  const answer = (credential) => {
    const from = credential.response;
    const response = { clientDataJSON: text(from.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"])
      if (from[name]) response[name] = text(from[name]);
    if (from.getTransports) response.transports = from.getTransports();
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
      response,
    };
  };
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const failed = form.querySelector("[data-failed]");
    let ready = false;
    form.addEventListener("submit", async (event) => {
      if (ready || (event.submitter && event.submitter.value === "cancel")) return;
      event.preventDefault();
      failed.hidden = true;
      try {
        const publicKey = wanted(JSON.parse(form.dataset.options));
        const credential = form.dataset.passkey === "create"
          ? await navigator.credentials.create({ publicKey })
          : await navigator.credentials.get({ publicKey });
        form.elements.credential.value = JSON.stringify(answer(credential));
        ready = true;
        form.requestSubmit(event.submitter);
      } catch {
        failed.hidden = false;
      }
    });
  }
})();
