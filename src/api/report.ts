import type { FieldPath } from "./field-path.ts";

/** Takes one violation: where, and in full sentences what is wrong and how to mend it. */
export type Report = (path: FieldPath, message: string) => void;
