#!/usr/bin/env node
import { runCli } from "./cli/run-cli.ts";
import { processTerminal } from "./cli/terminal.ts";

// A reader that has seen enough (`lateen render | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	if (error.code !== "EPIPE") throw error;
	process.exit();
});

process.exitCode = await runCli(process.argv.slice(2), processTerminal(), {
	serve: async (settings, effective) => {
		const { runServer } = await import("./app/run-server.ts");
		await runServer(settings, effective);
	},
	readTokenKey: async (stateDir) => {
		const { readOrCreateTokenKey } = await import(
			"./app/embedded/token-key.ts"
		);
		return readOrCreateTokenKey(stateDir);
	},
});
