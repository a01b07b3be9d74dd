import type { serveSchema } from "../../settings/schema.ts";
import type { Values } from "../../settings/setting.ts";

/** The values of the settings of `lateen serve`. */
export type ServeSettings = Values<typeof serveSchema>;
