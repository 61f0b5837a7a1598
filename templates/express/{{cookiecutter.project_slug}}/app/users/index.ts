/** People: oneself, and everyone for admins. */
export { initApp } from "./routes.ts";
