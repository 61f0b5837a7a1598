/** The rules about people. */
import { confirm } from "../auth/credentials.ts";
import { type Role, Sessions, type User, Users } from "../auth/model.ts";
import { containing } from "../cursors.ts";
import { Problem } from "../errors.ts";
import { timestamp } from "../ids.ts";
import type { App } from "../index.ts";

export function showUser(user: User) {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    role: user.role,
    email_verified: user.email_verified_at !== null,
    totp_enabled: user.totp_confirmed_at !== null,
    disabled: user.disabled,
    created_at: user.created_at,
    updated_at: user.updated_at,
  };
}

export async function rename(app: App, user: User, name: string | undefined): Promise<User> {
  if (name === undefined) {
    return user;
  }
  const changes = { name, updated_at: timestamp() };
  await app.db.run((manager) => manager.update(Users, { id: user.id }, changes));
  return { ...user, ...changes };
}

export async function removeAccount(app: App, user: User, password: string): Promise<void> {
  await confirm(app, user, password);
  await app.db.run((manager) => manager.delete(Users, { id: user.id }));
  app.record("user.deleted", { subject: user.id });
}

interface Filter {
  after: string | null;
  q: string | undefined;
  limit: number;
}

/** Newest first; one row more than asked tells whether there is a next page. */
export async function listUsers(app: App, { after, q, limit }: Filter): Promise<User[]> {
  return app.db.run((manager) => {
    const query = manager.createQueryBuilder(Users, "person").orderBy("person.id", "DESC");
    if (after !== null) {
      query.andWhere("person.id < :after", { after });
    }
    if (q !== undefined) {
      const like = "LIKE LOWER(:q) ESCAPE '!'";
      query.andWhere(`(person.email_normalized ${like} OR LOWER(person.name) ${like})`, {
        q: containing(q),
      });
    }
    return query.limit(limit + 1).getMany();
  });
}

export async function readUser(app: App, id: string): Promise<User> {
  const user = await app.db.run((manager) => manager.findOneBy(Users, { id }));
  if (!user) {
    throw new Problem("not-found");
  }
  return user;
}

interface Change {
  role?: Role | undefined;
  disabled?: boolean | undefined;
}

export async function changeUser(app: App, admin: User, id: string, change: Change): Promise<User> {
  const user = await readUser(app, id);
  const { role = user.role, disabled = user.disabled } = change;
  // The last one out must not lock the door behind him.
  if (user.id === admin.id && (role !== "admin" || disabled)) {
    throw new Problem("conflict");
  }
  if (role === user.role && disabled === user.disabled) {
    return user;
  }
  const changes = { role, disabled, updated_at: timestamp() };
  await app.db.transaction(async (manager) => {
    await manager.update(Users, { id }, changes);
    if (disabled) {
      await manager.delete(Sessions, { user_id: id });
    }
  });
  if (role !== user.role) {
    app.record("role.changed", { subject: id, role });
  }
  if (disabled !== user.disabled) {
    app.record(disabled ? "user.disabled" : "user.enabled", { subject: id });
  }
  return { ...user, ...changes };
}
