/** The shapes of user requests and answers. */
import { z } from "zod";
import { pageQuery } from "../cursors.ts";
import { answer, dateTime, email, request, text, uuid } from "../validation.ts";

const name = () => text({ min: 1, max: 100 });
const role = () => z.enum(["user", "admin"]);

export const User = answer("User", {
  id: uuid(),
  email: email(),
  name: name(),
  role: role(),
  email_verified: z.boolean(),
  totp_enabled: z.boolean(),
  disabled: z.boolean(),
  created_at: dateTime(),
  updated_at: dateTime(),
});

export const UserList = answer("UserList", {
  items: z.array(User),
  next: z.string().nullable(),
});

export const UserUpdate = request("UserUpdate", { name: name().optional() });

export const AdminUserUpdate = request("AdminUserUpdate", {
  role: role().optional(),
  disabled: z.boolean().optional(),
});

export const PasswordConfirmation = request("PasswordConfirmation", {
  password: text({ min: 1, max: 1024 }),
});

export const UserQuery = z.strictObject(pageQuery);
