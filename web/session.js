// Who looks, and what they may do. The service decides; this is for saying so before it has to refuse.
import { signal } from "./html.js";

const ROLES = ["read", "submit", "operate", "admin"];

// null until it is known; OUT while the service asks for a token; else what GET /api/v1/session says.
export const session = signal(null);
export const OUT = "out";

export const isIn = () => session.value !== null && session.value !== OUT;

// The processors that the token is for; null stands for all.
export const ownProcessors = () => (isIn() ? session.value.processors : null);

// Why this may not be done, as a sentence; null if it may. `whole`: it is about more than some processors.
export function refusal(role, whole = false) {
  const who = session.value;
  if (!isIn() || !who.auth) return null;
  if (ROLES.indexOf(who.role) < ROLES.indexOf(role)) return `This call requires the role ${role}; the token ${who.name} has the role ${who.role}.`;
  if (whole && who.processors) return `The token ${who.name} is restricted to these processors: ${who.processors.join(", ")}.`;
  return null;
}

// What a button is given, so that it is off, and says why, where its order would be refused.
export function gate(role, whole = false) {
  const why = refusal(role, whole);
  return why === null ? {} : { disabled: true, title: why };
}
