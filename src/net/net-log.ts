/** Where the servers of this folder report: fixed sentences, data as fields. */
export interface NetLog {
	warn(message: string, fields: Readonly<Record<string, unknown>>): void;
	error(message: string, fields: Readonly<Record<string, unknown>>): void;
}
