// Starts Swagger UI on the specification beside this page.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: new URL("openapi.json", document.location).href,
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    filter: true,
    persistAuthorization: false,
    tryItOutEnabled: true,
    validatorUrl: null,
    docExpansion: "none",
  });
});
