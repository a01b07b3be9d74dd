import { basename } from "node:path";
import { createInterface } from "node:readline";
import type { Environment } from "../settings/read-settings.ts";

import { asPlugin } from "./program-name.ts";

/** The process that a command runs in, as far as commands see it. */
export interface Terminal {
	/** Takes the result of the command. */
	out(text: string): void;
	/** Takes what a person should know besides the result. */
	err(text: string): void;
	/** Everything that is piped in. */
	readInput(): Promise<Uint8Array>;
	/** The next line that is typed or piped in; empty at the end of the input. */
	readLine(): Promise<string>;
	/** Whether the result may carry colours. */
	readonly outColours: boolean;
	/** Whether messages may carry colours. */
	readonly errColours: boolean;
	/** Whether a person types the input, so that waiting for it needs a word. */
	readonly inputIsTerminal: boolean;
	readonly environment: Environment;
	/** Whether the program was called as `kubectl lateen`. */
	readonly isPlugin: boolean;
}

/** The name that kubectl finds the program by. */
const pluginName = /^kubectl-lateen([.]js)?$/;

/** The terminal of this process. Colours follow https://no-color.org and `FORCE_COLOR`. */
export function processTerminal(): Terminal {
	const { argv, env, stdin, stdout, stderr } = process;
	const isPlugin = pluginName.test(basename(argv[1] ?? ""));
	const colours = (stream: { readonly isTTY?: boolean }): boolean => {
		if (env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "") return false;
		if (env["FORCE_COLOR"] !== undefined && env["FORCE_COLOR"] !== "0")
			return true;
		return stream.isTTY === true && env["TERM"] !== "dumb";
	};
	return {
		out: (text) => void stdout.write(text),
		err: (text) => void stderr.write(isPlugin ? asPlugin(text) : text),
		readInput: async () => {
			const chunks: Uint8Array[] = [];
			for await (const chunk of stdin) chunks.push(chunk);
			return Buffer.concat(chunks);
		},
		readLine: async () => {
			for await (const line of createInterface({ input: stdin })) return line;
			return "";
		},
		outColours: colours(stdout),
		errColours: colours(stderr),
		inputIsTerminal: stdin.isTTY === true,
		environment: env,
		isPlugin,
	};
}
