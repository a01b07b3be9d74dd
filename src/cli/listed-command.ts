import type { Command } from "./command.ts";
import type { CommandSummary } from "./print-help.ts";

/** A command that is loaded when it is needed, so that a short one starts at once. */
export interface ListedCommand extends CommandSummary {
	load(): Promise<Command>;
}
