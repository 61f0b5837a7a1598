// Renders /openapi.json: operations by tag, then the schemas they name.
const METHODS = ["get", "post", "patch", "put", "delete"];

function element(name, text, ...children) {
  const node = document.createElement(name);
  node.textContent = text;
  node.append(...children);
  return node;
}

function nameOf(reference) {
  return reference.split("/").at(-1);
}

function linkTo(reference) {
  const link = element("a", nameOf(reference));
  link.href = `#schema-${nameOf(reference)}`;
  return link;
}

function table(rows) {
  const cells = (row) => row.map((cell) => element("td", "", cell));
  return element("table", "", ...rows.map((row) => element("tr", "", ...cells(row))));
}

function describeParameters(operation) {
  return (operation.parameters ?? []).map((parameter) => [
    element("code", parameter.name),
    `${parameter.in}${parameter.required ? ", required" : ""}`,
    element("code", JSON.stringify(parameter.schema)),
  ]);
}

function describeBody(operation) {
  const content = Object.entries(operation.requestBody?.content ?? {});
  return content.map(([type, { schema }]) => ["body", type, linkTo(schema.$ref)]);
}

function describeResponses(operation, components) {
  return Object.entries(operation.responses).map(([status, answer]) => {
    const found = answer.$ref ? components.responses[nameOf(answer.$ref)] : answer;
    const schema = Object.values(found.content ?? {})[0]?.schema;
    return [status, found.description, schema ? linkTo(schema.$ref) : ""];
  });
}

function describeOperation(path, method, operation, components) {
  const label = element("span", method.toUpperCase());
  label.className = "method";
  const summary = element("summary", "", label, element("code", path), ` ${operation.summary}`);
  const access = operation.security.length > 0 ? "Needs a session." : "Open to anyone.";
  return element(
    "details",
    "",
    summary,
    element("p", access),
    table([...describeParameters(operation), ...describeBody(operation)]),
    table(describeResponses(operation, components)),
  );
}

function describeSchema(name, schema) {
  const details = element(
    "details",
    "",
    element("summary", "", element("code", name)),
    element("pre", JSON.stringify(schema, null, 2)),
  );
  details.id = `schema-${name}`;
  return details;
}

function render(api) {
  document.title = `${api.info.title} ${api.info.version}`;
  document.getElementById("title").textContent = document.title;
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => name in item)) {
      const operation = item[method];
      const group = groups.get(operation.tags[0]) ?? [];
      group.push(describeOperation(path, method, operation, api.components));
      groups.set(operation.tags[0], group);
    }
  }
  for (const [tag, nodes] of groups) {
    document.getElementById("operations").append(element("h2", tag), ...nodes);
  }
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    document.getElementById("schemas").append(describeSchema(name, schema));
  }
}

async function main() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) {
    throw new Error(`/openapi.json answered ${answer.status}`);
  }
  render(await answer.json());
}

main().catch((error) => {
  document.getElementById("operations").textContent =
    `The reference cannot be shown: ${error.message}`;
});
