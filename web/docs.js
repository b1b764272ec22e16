// The API's document, to be read and tried out. It comes from the service, like everything here.

/** By cookie, a change needs proof that it is this page's. */
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
