/** Migrations and models agree. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EntityMetadata, MigrationInterface, QueryRunner, Table } from "typeorm";
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

async function hasTable(db: Db, name: string): Promise<boolean> {
  const runner = db.source.createQueryRunner();
  try {
    return await runner.hasTable(name);
  } finally {
    await runner.release();
  }
}

test("the last migration can be undone", async (t) => {
  const db = await open(t);
  const names: (string | null)[] = [];
  for (const _ of db.source.migrations) {
    names.unshift(await undo(db));
  }
  assert.equal(names[0], "0001_accounts_and_notes");
  assert.equal(await hasTable(db, "users"), false);
  assert.equal(await undo(db), null);
  assert.deepEqual(await migrate(db), names);
});

/** Later than all others, and wrong after its first statement. */
class Broken9999999999999 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("CREATE TABLE half_done (id INTEGER)");
    await runner.query("INSERT INTO not_there VALUES (1)");
  }

  async down(): Promise<void> {
    assert.fail("it was never up");
  }
}

test("a failed migration says so and what to do", async (t) => {
  const db = await open(t);
  db.source.migrations.push(new Broken9999999999999());
  const { undoesSchema } = db.database;
  const first = /^Migration Broken9999999999999 failed: .*not_there/s;
  const kept = /Nothing of it was kept: mend the file and run make migrate again\.$/;
  const half = /may be there\. Put the schema back .*, then DROP TABLE unfinished_migration, then/;
  await assert.rejects(migrate(db), ({ message }: Error) => {
    assert.match(message, first);
    assert.match(message, undoesSchema ? kept : half);
    return true;
  });
  assert.equal(await hasTable(db, "half_done"), !undoesSchema);
  if (!undoesSchema) {
    await assert.rejects(migrate(db), /^Error: Migration Broken9999999999999, begun at 2/);
    await db.source.query("DROP TABLE half_done");
    await db.source.query("DROP TABLE unfinished_migration");
  }
});
