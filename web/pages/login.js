// The way in, where the service asks for a token. The address stays, so that one arrives where one wanted to.
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
      <p>This service asks for a token.</p>
      <label>Token <input ref=${field} name="token" type="password" required autocomplete="current-password" spellcheck=${false}/></label>
      ${error && html`<${Failed} error=${error}/>`}
      <div class="buttons"><button type="submit" class="main" disabled=${isBusy}>Log in</button></div>
      <p class="total"><code>venom token create NAME</code> makes one on the service's machine. It is kept in a cookie that no script can read.</p>
    </form></div>`;
}
