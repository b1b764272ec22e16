// The login page. The address stays, so that the requested page opens after the login.
import { html, useEffect, useRef, useState } from "../html.js";
import { login } from "../api.js";
import { Failed } from "../ui.js";

export function Login() {
  const field = useRef();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  useEffect(() => { field.current.focus(); }, []);
  const enter = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await login(field.current.value.trim());
    } catch (problem) {
      setError(problem.message);
      setBusy(false);
      field.current.select();
    }
  };
  return html`<div class="login-page"><h1>Log in</h1>
    <form class="login" onSubmit=${enter}>
      <p>This service requires authentication.</p>
      <label>Token <input ref=${field} name="token" type="password" required autocomplete="current-password" spellcheck=${false}/></label>
      ${error && html`<${Failed} error=${error}/>`}
      <div class="buttons"><button type="submit" class="main" disabled=${isBusy}>Log in</button></div>
      <p class="total">Create a token with <code>venom token create NAME</code> on the service's machine. The browser keeps it in a cookie that no script can read.</p>
    </form></div>`;
}
