import packageDescription from "../../package.json" with { type: "json" };

/** Version of this program, as in its package. */
export const programVersion: string = packageDescription.version;
