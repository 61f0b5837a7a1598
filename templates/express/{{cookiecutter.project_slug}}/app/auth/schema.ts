/** The shapes of account requests and answers. */
import { z } from "zod";
import { User } from "../users/schema.ts";
import { answer, dateTime, email, request, text, uuid } from "../validation.ts";

export const Register = request("Register", {
  email: email(),
  password: text({ min: 12, max: 128 }),
  name: text({ min: 1, max: 100 }),
});

export const Login = request("Login", {
  email: text({ min: 1, max: 254 }),
  password: text({ min: 1, max: 1024 }),
  code: text({ min: 1, max: 20 }).optional(),
  transport: z.enum(["bearer", "cookie"]).default("bearer"),
});

export const Accepted = answer("Accepted", { status: z.literal("accepted") });

export const LoginResult = answer("LoginResult", {
  token: z.string().optional(),
  expires_at: dateTime(),
  user: User,
});

export const Session = answer("Session", {
  id: uuid(),
  user_agent: z.string().nullable(),
  client_address: z.string().nullable(),
  created_at: dateTime(),
  last_seen_at: dateTime(),
  expires_at: dateTime(),
  current: z.boolean(),
});

export const SessionList = answer("SessionList", { items: z.array(Session) });
