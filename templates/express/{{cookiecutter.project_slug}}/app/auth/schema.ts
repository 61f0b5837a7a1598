/** The shapes of account requests and answers. */
import { z } from "zod";
import { User } from "../users/schema.ts";
import { answer, dateTime, email, request, text, uuid } from "../validation.ts";

const newPassword = () => text({ min: 12, max: 128 });
const anyPassword = () => text({ min: 1, max: 1024 });
const oneTimeToken = () => text({ pattern: "^[A-Za-z0-9_-]{43}$" });

export const Register = request("Register", {
  email: email(),
  password: newPassword(),
  name: text({ min: 1, max: 100 }),
});

export const Login = request("Login", {
  email: text({ min: 1, max: 254 }),
  password: anyPassword(),
  code: text({ min: 1, max: 40 }).optional(),
  transport: z.enum(["bearer", "cookie"]).default("bearer"),
});

export const EmailAddress = request("EmailAddress", { email: email() });

export const VerifyEmail = request("VerifyEmail", { token: oneTimeToken() });

export const PasswordReset = request("PasswordReset", {
  token: oneTimeToken(),
  password: newPassword(),
});

export const PasswordChange = request("PasswordChange", {
  current_password: anyPassword(),
  password: newPassword(),
});

export const TotpConfirm = request("TotpConfirm", { code: text({ pattern: "^[0-9]{6}$" }) });

export const Accepted = answer("Accepted", { status: z.literal("accepted") });

export const LoginResult = answer("LoginResult", {
  token: z.string().optional(),
  expires_at: dateTime(),
  user: User,
});

export const TotpSetup = answer("TotpSetup", { secret: z.string(), uri: z.string() });

export const TotpConfirmed = answer("TotpConfirmed", {
  recovery_codes: z.array(z.string()),
  token: z.string().optional(),
  expires_at: dateTime(),
  user: User,
});

const Session = answer("Session", {
  id: uuid(),
  user_agent: z.string().nullable(),
  client_address: z.string().nullable(),
  created_at: dateTime(),
  last_seen_at: dateTime(),
  expires_at: dateTime(),
  current: z.boolean(),
});

export const SessionList = answer("SessionList", { items: z.array(Session) });
