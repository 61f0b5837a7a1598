/** The first tables: accounts and notes. What is there already stays as it is. */
import type { MigrationInterface, QueryRunner } from "typeorm";
import { databaseOf } from "../app/databases/index.ts";

const TABLES = ["note_tags", "notes", "recovery_codes", "one_time_tokens", "sessions", "users"];

interface Table {
  name: string;
  lines: string[];
  indexes?: Record<string, string>;
}

function ofUser(table: string): string {
  return `CONSTRAINT fk_${table}_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE`;
}

function accounts(id: string, time: string): Table[] {
  return [
    {
      name: "users",
      lines: [
        `id ${id} NOT NULL PRIMARY KEY`,
        "email VARCHAR(254) NOT NULL",
        "email_normalized VARCHAR(254) NOT NULL",
        "name VARCHAR(100) NOT NULL",
        "password_hash VARCHAR(255) NOT NULL",
        "role VARCHAR(20) DEFAULT 'user' NOT NULL",
        "disabled BOOLEAN DEFAULT FALSE NOT NULL",
        `email_verified_at ${time} NULL`,
        "totp_secret VARCHAR(255) NULL",
        `totp_confirmed_at ${time} NULL`,
        "totp_last_step BIGINT NULL",
        `created_at ${time} NOT NULL`,
        `updated_at ${time} NOT NULL`,
        "CONSTRAINT ck_users_role CHECK (role IN ('user', 'admin'))",
        "CONSTRAINT uq_users_email_normalized UNIQUE (email_normalized)",
      ],
    },
    {
      name: "sessions",
      lines: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `user_id ${id} NOT NULL`,
        "token_hash CHAR(64) NOT NULL",
        "user_agent VARCHAR(255) NULL",
        "client_address VARCHAR(45) NULL",
        `created_at ${time} NOT NULL`,
        `last_seen_at ${time} NOT NULL`,
        `expires_at ${time} NOT NULL`,
        ofUser("sessions"),
        "CONSTRAINT uq_sessions_token_hash UNIQUE (token_hash)",
      ],
      indexes: { ix_sessions_user_id: "user_id", ix_sessions_expires_at: "expires_at" },
    },
  ];
}

function secrets(id: string, time: string): Table[] {
  return [
    {
      name: "one_time_tokens",
      lines: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `user_id ${id} NOT NULL`,
        "purpose VARCHAR(20) NOT NULL",
        "email_normalized VARCHAR(254) NOT NULL",
        "token_hash CHAR(64) NOT NULL",
        `created_at ${time} NOT NULL`,
        `expires_at ${time} NOT NULL`,
        `used_at ${time} NULL`,
        "CONSTRAINT ck_one_time_tokens_purpose CHECK (purpose IN ('verify-email', 'reset-password'))",
        ofUser("one_time_tokens"),
        "CONSTRAINT uq_one_time_tokens_token_hash UNIQUE (token_hash)",
      ],
      indexes: { ix_one_time_tokens_user_id: "user_id" },
    },
    {
      name: "recovery_codes",
      lines: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `user_id ${id} NOT NULL`,
        "code_hash CHAR(64) NOT NULL",
        `created_at ${time} NOT NULL`,
        `used_at ${time} NULL`,
        ofUser("recovery_codes"),
        "CONSTRAINT uq_recovery_codes_user_id_code_hash UNIQUE (user_id, code_hash)",
      ],
    },
  ];
}

function notes(id: string, time: string): Table[] {
  return [
    {
      name: "notes",
      lines: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `user_id ${id} NOT NULL`,
        "title VARCHAR(200) NOT NULL",
        "body TEXT NOT NULL",
        "version INTEGER DEFAULT 1 NOT NULL",
        `created_at ${time} NOT NULL`,
        `updated_at ${time} NOT NULL`,
        ofUser("notes"),
      ],
      indexes: { ix_notes_user_id_id: "user_id, id" },
    },
    {
      name: "note_tags",
      lines: [
        `note_id ${id} NOT NULL`,
        "position INTEGER NOT NULL",
        "tag VARCHAR(50) NOT NULL",
        "PRIMARY KEY (note_id, position)",
        "CONSTRAINT fk_note_tags_note_id FOREIGN KEY (note_id) REFERENCES notes (id) ON DELETE CASCADE",
        "CONSTRAINT uq_note_tags_note_id_tag UNIQUE (note_id, tag)",
      ],
      indexes: { ix_note_tags_tag: "tag, note_id" },
    },
  ];
}

async function create(queryRunner: QueryRunner, table: Table): Promise<void> {
  const { types } = databaseOf(queryRunner.dataSource);
  const indexes = Object.entries(table.indexes ?? {});
  const inside = types.indexesInside
    ? indexes.map(([name, columns]) => `INDEX ${name} (${columns})`)
    : [];
  const lines = [...table.lines, ...inside].join(", ");
  await queryRunner.query(`CREATE TABLE IF NOT EXISTS ${table.name} (${lines})${types.table}`);
  for (const [name, columns] of types.indexesInside ? [] : indexes) {
    await queryRunner.query(`CREATE INDEX IF NOT EXISTS ${name} ON ${table.name} (${columns})`);
  }
}

export class AccountsAndNotes1763700000000 implements MigrationInterface {
  readonly name = "AccountsAndNotes1763700000000";

  async up(queryRunner: QueryRunner): Promise<void> {
    const { id, timestamp } = databaseOf(queryRunner.dataSource).types;
    for (const table of [
      ...accounts(id, timestamp),
      ...secrets(id, timestamp),
      ...notes(id, timestamp),
    ]) {
      await create(queryRunner, table);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const name of TABLES) {
      await queryRunner.query(`DROP TABLE IF EXISTS ${name}`);
    }
  }
}
