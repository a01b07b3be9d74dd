import type { ReadTokenKey } from "./bootstrap-command.ts";
import type { ListedCommand } from "./listed-command.ts";
import type { StartServer } from "./serve-command.ts";

/** What commands need from outside this folder. */
export interface CommandParts {
	/** Runs the server until it is told to stop. */
	readonly serve: StartServer;
	readonly readTokenKey: ReadTokenKey;
}

/** Every command, in the order of the help. */
export function listCommands(parts: CommandParts): readonly ListedCommand[] {
	return [
		{
			name: "serve",
			summary: "Run the control plane",
			load: async () =>
				(await import("./serve-command.ts")).serveCommand(parts.serve),
		},
		{
			name: "validate",
			summary: "Check files without applying them",
			load: async () => (await import("./validate-command.ts")).validateCommand,
		},
		{
			name: "analyze",
			summary: "Say what the objects of a folder mean together",
			load: async () => (await import("./analyze-command.ts")).analyzeCommand,
		},
		{
			name: "render",
			summary: "Show the Envoy configuration that files would become",
			load: async () => (await import("./render-command.ts")).renderCommand,
		},
		{
			name: "diff",
			summary: "Show what would change in each proxy if files were applied",
			load: async () => (await import("./diff-command.ts")).diffCommand,
		},
		{
			name: "explain",
			summary: "Walk one request through the configuration of its proxy",
			load: async () => (await import("./explain-command.ts")).explainCommand,
		},
		{
			name: "get",
			summary: "Show objects: are they live, and if not, why",
			load: async () => (await import("./get-command.ts")).getCommand,
		},
		{
			name: "wait",
			summary: "Wait until an object is live",
			load: async () => (await import("./wait-command.ts")).waitCommand,
		},
		{
			name: "proxies",
			summary: "List connected proxies and whether they are up to date",
			load: async () => (await import("./proxies-command.ts")).proxiesCommand,
		},
		{
			name: "proxy",
			summary: "Show what one proxy was sent and has acknowledged",
			load: async () => (await import("./proxy-command.ts")).proxyCommand,
		},
		{
			name: "why",
			summary: "Name the objects behind a resource, or what an object became",
			load: async () => (await import("./why-command.ts")).whyCommand,
		},
		{
			name: "log-level",
			summary: "Show or change how much a running server logs",
			load: async () =>
				(await import("./log-level-command.ts")).logLevelCommand,
		},
		{
			name: "inject",
			summary: "Put proxies into the pods of files, as the webhook would",
			load: async () => (await import("./inject-command.ts")).injectCommand,
		},
		{
			name: "install",
			summary: "Print the manifests of an installation, or try them",
			load: async () => (await import("./install-command.ts")).installCommand,
		},
		{
			name: "check",
			summary: "Say whether an installation works, or what stands in its way",
			load: async () => (await import("./check-command.ts")).checkCommand,
		},
		{
			name: "uninstall",
			summary: "Take an installation out of a cluster",
			load: async () =>
				(await import("./uninstall-command.ts")).uninstallCommand,
		},
		{
			name: "bootstrap",
			summary: "Make the files that one Envoy starts with",
			load: async () =>
				(await import("./bootstrap-command.ts")).bootstrapCommand(
					parts.readTokenKey,
				),
		},
		{
			name: "completion",
			summary: "Print a completion script for a shell",
			load: async () =>
				(await import("./completion-command.ts")).completionCommand(
					listCommands(parts),
				),
		},
		{
			name: "version",
			summary: "Print the version",
			load: async () => (await import("./version-command.ts")).versionCommand,
		},
		{
			name: "help",
			summary: "Explain the program or one command",
			load: async () =>
				(await import("./help-command.ts")).helpCommand(listCommands(parts)),
		},
	];
}
