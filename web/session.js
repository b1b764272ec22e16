// The session: the token and its permissions. The service decides; the page only disables what it would refuse.
import { signal } from "./html.js";

const ROLES = ["read", "submit", "operate", "admin"];

// null until it is known; OUT while a login is required; else the body of GET /api/v1/session.
export const session = signal(null);
export const OUT = "out";

export const isIn = () => session.value !== null && session.value !== OUT;

// The processors that the token is limited to; null: all.
export const ownProcessors = () => (isIn() ? session.value.processors : null);

// Returns why an action is refused, as a sentence, or null. `whole`: it concerns all processors.
export function refusal(role, whole = false) {
  const who = session.value;
  if (!isIn() || !who.auth) return null;
  if (ROLES.indexOf(who.role) < ROLES.indexOf(role)) return `This call requires the role ${role}; the token ${who.name} has the role ${who.role}.`;
  if (whole && who.processors) return `The token ${who.name} is restricted to these processors: ${who.processors.join(", ")}.`;
  return null;
}

// Returns the attributes of a button: disabled, with the reason, if its action would be refused.
export function gate(role, whole = false) {
  const why = refusal(role, whole);
  return why === null ? {} : { disabled: true, title: why };
}
