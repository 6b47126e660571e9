// Starts ReDoc on the specification beside this page. Its search needs a worker made of a blob,
// which the policy of this page does not allow.
window.addEventListener("load", () => {
  Redoc.init(
    new URL("openapi.json", document.location).href,
    { disableSearch: true, hideDownloadButton: false, nativeScrollbars: true },
    document.getElementById("docs"),
  );
});
