/** The databases this app speaks, by URL scheme. */
import type { DataSource, DataSourceOptions, EntityManager } from "typeorm";
// scaffold: if cookiecutter.database == 'sqlite'
import { sqlite } from "./sqlite.ts";
// scaffold: endif
// scaffold: if cookiecutter.database == 'postgresql'
import { postgresql } from "./postgresql.ts";
// scaffold: endif
// scaffold: if cookiecutter.database == 'mysql'
import { mysql } from "./mysql.ts";
// scaffold: endif

export type Work<T> = (manager: EntityManager) => Promise<T>;

export interface Database {
  /** What TypeORM calls it. */
  type: DataSourceOptions["type"];
  /** How DATABASE_URL is written, and what it is when nothing is said. */
  form: string;
  defaultUrl: string;
  /** Throws an AddressError when its parameters are wrong. */
  accepts(url: URL): boolean;
  /** Where the database is, without its password. */
  place(url: URL): string;
  /** How the driver connects; without a number of seconds statements have no limit. */
  options(url: URL, poolSize: number, statementSeconds: number | null): DataSourceOptions;
  /** What else each connection needs. */
  prepare(source: DataSource, statementSeconds: number | null): Promise<void>;
  /** Column types and table endings of the migrations. */
  types: { id: string; timestamp: string; table: string; indexesInside: boolean };
  /** Whether migrations open a transaction of their own. */
  migrationTransaction: "all" | "none";
  /** Whether a transaction also undoes changes of the schema. */
  undoesSchema: boolean;
  /** Whether a transaction can hold one row; else it is alone anyway. */
  locksRows: boolean;
  isUniqueViolation(error: DriverError): boolean;
  isUnavailable(error: DriverError): boolean;
  pool(source: DataSource): { used: number; idle: number };
  /** A column of other rows, in order, as the text of a JSON array. */
  jsonArray(column: string, rows: string, order: string): string;
  /** Rows as the driver has them, by a statement that each connection prepares once. */
  read(source: DataSource, text: string, values: unknown[]): Promise<unknown[]>;
  run<T>(source: DataSource, work: Work<T>): Promise<T>;
  transaction<T>(source: DataSource, work: Work<T>): Promise<T>;
  /** Runs alone, whoever else migrates the same database. */
  alone(source: DataSource, work: () => Promise<void>): Promise<void>;
}

export interface DriverError {
  code?: string;
  errno?: number;
  message?: string;
}

export const databases = new Map<string, Database>();
// scaffold: if cookiecutter.database == 'sqlite'
databases.set("sqlite", sqlite);
// scaffold: endif
// scaffold: if cookiecutter.database == 'postgresql'
databases.set("postgresql", postgresql);
// scaffold: endif
// scaffold: if cookiecutter.database == 'mysql'
databases.set("mysql", mysql);
// scaffold: endif

export function defaultUrl(): string {
  const [first] = databases.values();
  return first?.defaultUrl ?? "";
}

export function databaseOf(source: DataSource): Database {
  for (const database of databases.values()) {
    if (database.type === source.options.type) {
      return database;
    }
  }
  throw new Error(`no database of type ${source.options.type}`);
}
