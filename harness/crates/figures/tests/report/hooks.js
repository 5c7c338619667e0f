// Collects what the page complains about; see main.rs.
"use strict";
const complaints = [];
addEventListener("error", (event) => complaints.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => complaints.push(`rejected: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => complaints.push(`fetched: ${event.blockedURI}`));
for (const kind of ["error", "warn"]) {
  console[kind] = (...words) => complaints.push(`${kind}: ${words.join(" ")}`);
}
