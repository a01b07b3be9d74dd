/** The words that begin a command line, where one is named in a sentence. */
const named =
	/(?<!kubectl )\blateen (?=(serve|validate|analyze|render|diff|explain|get|wait|proxies|proxy|why|bootstrap|inject|install|log-level|uninstall|check|completion|version|help|COMMAND)\b)/g;

/** A text about the program, for people who call it as a plugin of kubectl. */
export function asPlugin(text: string): string {
	return text.replaceAll(named, "kubectl lateen ");
}
