/** Accounts and sessions. */
export { initApp as initRoutes } from "./routes.ts";
export { initApp as initSessions } from "./sessions.ts";
