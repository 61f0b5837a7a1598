// Security only: what is right or wrong otherwise, Biome and the compiler say.
import unsanitized from "eslint-plugin-no-unsanitized";
import * as regexp from "eslint-plugin-regexp";
import security from "eslint-plugin-security";
import typescript from "typescript-eslint";

export default [
  { linterOptions: { reportUnusedDisableDirectives: "off" } },
  { files: ["**/*.ts"], languageOptions: { parser: typescript.parser } },
  security.configs.recommended,
  unsanitized.configs.recommended,
  {
    plugins: { regexp },
    rules: {
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "regexp/no-super-linear-backtracking": "error",
      "regexp/no-super-linear-move": "error",
    },
  },
];
