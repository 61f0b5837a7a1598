/** Notes: the sample resource. */
export { initApp } from "./routes.ts";
