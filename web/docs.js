// The API document in Swagger UI, served by the service itself.

/** Adds the CSRF token, which a request that changes something needs when the session is a cookie. */
async function prove(request) {
  const changes = !['GET', 'HEAD', undefined].includes(request.method);
  if (changes) {
    const answer = await fetch('/api/v1/session');
    const session = answer.ok ? await answer.json() : {};
    if (session.csrf_token) request.headers['X-CSRF-Token'] = session.csrf_token;
  }
  return request;
}

SwaggerUIBundle({
  dom_id: '#docs',
  url: '/openapi.json',
  deepLinking: true,
  displayRequestDuration: true,
  requestInterceptor: prove,
  validatorUrl: null,
});
