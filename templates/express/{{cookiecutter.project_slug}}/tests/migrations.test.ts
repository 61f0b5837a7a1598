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

function fromModel(model: EntityMetadata): Shape {
  const names = (columns: { databaseName: string }[]) => columns.map((one) => one.databaseName);
  return {
    columns: model.columns.map((one) => describeColumn(one.databaseName, one)).sort(),
    primary: names(model.primaryColumns).sort(),
    unique: model.uniques.map(({ columns }) => names(columns).join()).sort(),
    indexes: model.indices.map(({ name, columns }) => `${name} on ${names(columns)}`).sort(),
    references: model.foreignKeys
      .map((key) => `${names(key.columns)} ${key.referencedTablePath} ${key.onDelete}`)
      .sort(),
  };
}

function fromSchema(table: Table): Shape {
  const unique = [...table.uniques, ...table.indices.filter(({ isUnique }) => isUnique)];
  const plain = table.indices.filter(({ isUnique }) => !isUnique);
  return {
    columns: table.columns.map((one) => describeColumn(one.name, one)).sort(),
    primary: table.primaryColumns.map(({ name }) => name).sort(),
    unique: [...new Set(unique.map(({ columnNames }) => columnNames.join()))].sort(),
    indexes: plain.map(({ name, columnNames }) => `${name} on ${columnNames}`).sort(),
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
