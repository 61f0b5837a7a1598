/** What is stored about accounts and sessions. */
import { EntitySchema, type EntitySchemaOptions } from "typeorm";
import { id, short, time } from "../columns.ts";

export type Role = "user" | "admin";

export interface User {
  id: string;
  email: string;
  email_normalized: string;
  name: string;
  password_hash: string;
  role: Role;
  disabled: boolean;
  email_verified_at: string | null;
  totp_secret: string | null;
  totp_confirmed_at: string | null;
  totp_last_step: string | null;
  created_at: string;
  updated_at: string;
}

export interface Session {
  id: string;
  user_id: string;
  token_hash: string;
  user_agent: string | null;
  client_address: string | null;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  user?: User;
}

export interface OneTimeToken {
  id: string;
  user_id: string;
  purpose: "verify-email" | "reset-password";
  email_normalized: string;
  token_hash: string;
  created_at: string;
  expires_at: string;
  used_at: string | null;
  user?: User;
}

export interface RecoveryCode {
  id: string;
  user_id: string;
  code_hash: string;
  created_at: string;
  used_at: string | null;
  user?: User;
}

/** As addresses are compared: without regard to case. */
export function normalizeEmail(email: string): string {
  return email.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

export const Users = new EntitySchema<User>({
  name: "users",
  tableName: "users",
  columns: {
    id: { ...id(), primary: true },
    email: short(254),
    email_normalized: short(254),
    name: short(100),
    password_hash: short(255),
    role: { ...short(20), default: "user" },
    disabled: { type: Boolean, default: false },
    email_verified_at: { ...time(), nullable: true },
    totp_secret: { ...short(255), nullable: true },
    totp_confirmed_at: { ...time(), nullable: true },
    totp_last_step: { type: "bigint", nullable: true },
    created_at: time(),
    updated_at: time(),
  },
  uniques: [{ name: "uq_users_email_normalized", columns: ["email_normalized"] }],
});

/** A row goes when the account it belongs to goes. */
function ofUser(name: string): NonNullable<EntitySchemaOptions<{ user?: User }>["relations"]> {
  return {
    user: {
      type: "many-to-one",
      target: "users",
      onDelete: "CASCADE",
      nullable: false,
      joinColumn: { name: "user_id", foreignKeyConstraintName: name },
    },
  };
}

export const Sessions = new EntitySchema<Session>({
  name: "sessions",
  tableName: "sessions",
  columns: {
    id: { ...id(), primary: true },
    user_id: id(),
    token_hash: short(64),
    user_agent: { ...short(255), nullable: true },
    client_address: { ...short(45), nullable: true },
    created_at: time(),
    last_seen_at: time(),
    expires_at: time(),
  },
  relations: ofUser("fk_sessions_user_id"),
  uniques: [{ name: "uq_sessions_token_hash", columns: ["token_hash"] }],
  indices: [
    { name: "ix_sessions_user_id", columns: ["user_id"] },
    { name: "ix_sessions_expires_at", columns: ["expires_at"] },
  ],
});

export const OneTimeTokens = new EntitySchema<OneTimeToken>({
  name: "one_time_tokens",
  tableName: "one_time_tokens",
  columns: {
    id: { ...id(), primary: true },
    user_id: id(),
    purpose: short(20),
    email_normalized: short(254),
    token_hash: short(64),
    created_at: time(),
    expires_at: time(),
    used_at: { ...time(), nullable: true },
  },
  relations: ofUser("fk_one_time_tokens_user_id"),
  uniques: [{ name: "uq_one_time_tokens_token_hash", columns: ["token_hash"] }],
  indices: [{ name: "ix_one_time_tokens_user_id", columns: ["user_id"] }],
});

export const RecoveryCodes = new EntitySchema<RecoveryCode>({
  name: "recovery_codes",
  tableName: "recovery_codes",
  columns: {
    id: { ...id(), primary: true },
    user_id: id(),
    code_hash: short(64),
    created_at: time(),
    used_at: { ...time(), nullable: true },
  },
  relations: ofUser("fk_recovery_codes_user_id"),
  uniques: [{ name: "uq_recovery_codes_user_id_code_hash", columns: ["user_id", "code_hash"] }],
});
