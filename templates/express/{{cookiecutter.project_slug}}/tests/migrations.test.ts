/** Migrations and models agree. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EntityMetadata, Table } from "typeorm";
import { readConfig } from "../app/config.ts";
import type { Db } from "../app/db.ts";
import { migrate, openForMigrations, undo } from "../app/migrations.ts";
import { environment } from "./setup.ts";

/** What models and schema can both say about a table, in words that sort. */
interface Shape {
  columns: string[];
  primary: string[];
  unique: string[];
  indexes: string[];
  references: string[];
}

interface Column {
  type: unknown;
  length: string;
  isNullable: boolean;
}

async function open(t: TestContext): Promise<Db> {
  const db = await openForMigrations(readConfig(environment()));
  t.after(() => db.close());
  await migrate(db);
  return db;
}

function describeColumn(name: string, { type, length, isNullable }: Column): string {
  // Not every database tells the length of fixed text, or a length that is its default.
  const isTold = /char/.test(String(type)) && !["", "36", "64", "255"].includes(length);
  const size = isTold ? `(${length})` : "";
  return `${name}${size}${isNullable ? " or null" : ""}`;
}

/** Columns in the order of their names: not every driver reads them in that of the index. */
function list(names: string[]): string {
  return names.toSorted().join();
}

interface Index {
  name?: string | undefined;
  columns: string[];
  isUnique: boolean;
}

/** Some drivers tell a unique constraint as what it is, others as an index. */
function describeIndexes(all: Index[]): Pick<Shape, "unique" | "indexes"> {
  const unique = all.filter(({ isUnique }) => isUnique).map(({ columns }) => list(columns));
  const plain = all.filter(({ isUnique }) => !isUnique);
  return {
    unique: [...new Set(unique)].sort(),
    indexes: plain.map(({ name, columns }) => `${name} on ${list(columns)}`).sort(),
  };
}

function fromModel(model: EntityMetadata): Shape {
  const names = (columns: { databaseName: string }[]) => columns.map((one) => one.databaseName);
  const uniques = model.uniques.map((one) => ({ columns: names(one.columns), isUnique: true }));
  const indexes = model.indices.map(({ name, columns, isUnique }) => {
    return { name, columns: names(columns), isUnique };
  });
  return {
    columns: model.columns.map((one) => describeColumn(one.databaseName, one)).sort(),
    primary: names(model.primaryColumns).sort(),
    ...describeIndexes([...uniques, ...indexes]),
    references: model.foreignKeys
      .map((key) => `${names(key.columns)} ${key.referencedTablePath} ${key.onDelete}`)
      .sort(),
  };
}

function fromSchema(table: Table): Shape {
  const uniques = table.uniques.map((one) => ({ columns: one.columnNames, isUnique: true }));
  const indexes = table.indices.map(({ name, columnNames, isUnique }) => {
    return { name, columns: columnNames, isUnique };
  });
  return {
    columns: table.columns.map((one) => describeColumn(one.name, one)).sort(),
    primary: table.primaryColumns.map(({ name }) => name).sort(),
    ...describeIndexes([...uniques, ...indexes]),
    references: table.foreignKeys
      .map((key) => `${key.columnNames} ${key.referencedTableName} ${key.onDelete}`)
      .sort(),
  };
}

/** Table → shape, for each table of the models that there is. */
async function readSchema(db: Db): Promise<Record<string, Shape>> {
  const runner = db.source.createQueryRunner();
  try {
    const tables = await runner.getTables(db.source.entityMetadatas.map((one) => one.tableName));
    return Object.fromEntries(tables.map((table) => [table.name, fromSchema(table)]));
  } finally {
    await runner.release();
  }
}

test("models and schema agree", async (t) => {
  const db = await open(t);
  const models = db.source.entityMetadatas.map((model) => [model.tableName, fromModel(model)]);
  assert.deepEqual(await readSchema(db), Object.fromEntries(models));
});

test("migrating twice changes nothing", async (t) => {
  const db = await open(t);
  const before = await readSchema(db);
  assert.deepEqual(await migrate(db), []);
  assert.deepEqual(await readSchema(db), before);
});

test("down and up again keeps the schema", async (t) => {
  const db = await open(t);
  const before = await readSchema(db);
  for (let left = db.source.migrations.length; left > 0; left -= 1) {
    await undo(db);
  }
  assert.deepEqual(await readSchema(db), {});
  assert.equal((await migrate(db)).length, db.source.migrations.length);
  assert.deepEqual(await readSchema(db), before);
});
