//! tmp
use std::io::BufRead;
use sallyport_sql::catalog::{Builder, Catalog, QUERIES};
use sallyport_sql::*;
fn catalog(db:&str,user:&str)->Catalog{
  use std::process::*; use std::io::Write;
  let mut script=String::new();
  for (n,s) in QUERIES { script.push_str(&format!("\\echo -n \x04{n}\x02\n{s};\n")); }
  let mut c=Command::new("psql").args(["-X","-q","-v","ON_ERROR_STOP=1","-U",user,"-d",db,"-p","54815","-h","/tmp/sqlpg","-A","-t","-F","\x01","-R","\x02","-P","null=\x03"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
  let mut i=c.stdin.take().unwrap(); std::thread::spawn(move||i.write_all(script.as_bytes()));
  let o=c.wait_with_output().unwrap(); let t=String::from_utf8(o.stdout).unwrap();
  let mut b=Builder::new(); 
  for sect in t.split('\x04').skip(1){ let mut it=sect.split('\x02'); let q=it.next().unwrap(); 
    for r in it { let r=r.strip_suffix('\n').unwrap_or(r); if r.is_empty(){continue;} let cells:Vec<Option<&str>>=r.split('\x01').map(|c|(c!="\x03").then_some(c)).collect(); b.row(q,&cells).unwrap_or_else(|e|panic!("{e} {cells:?}")); } }
  b.finish(1)
}
fn main(){
  let t=std::time::Instant::now();
  let cat=catalog("app","app"); eprintln!("catalog {:?}", t.elapsed());
  let path=vec!["public".to_string()];
  let ctx=Context{catalog:&cat,search_path:&path,caps:Caps::default()};
  for line in std::io::stdin().lock().lines(){
    let line=line.unwrap(); let (id,sql)=line.split_once('\t').unwrap(); let sql=sql.replace("\\n","\n").replace("\\f","\x0c");
    let a=analyze(&sql,&ctx);
    let acts:Vec<String>=a.intent.actions.iter().map(|x|match &x.object{Some(o)=>format!("{}:{}",x.effect,o),None=>x.effect.to_string()}).collect();
    let preds:Vec<String>=a.intent.predicates.iter().map(|c|format!("{}.{}",c.relation,c.column)).collect();
    let outs=a.statements.iter().map(|s|match &s.outputs{Outputs::None=>"-".into(),Outputs::Unknown=>"?".into(),Outputs::Columns(c)=>c.iter().map(|d|match d{Deps::Clean=>"c".to_string(),Deps::Unknown=>"?".into(),Deps::Columns(v)=>v.iter().map(|c|format!("{}.{}",c.relation,c.column)).collect::<Vec<_>>().join("+")}).collect::<Vec<_>>().join(",")}).collect::<Vec<_>>().join(" ; ");
    let stored=a.statements.iter().map(|s|match &s.stored{Deps::Clean=>"".to_string(),Deps::Unknown=>"?".into(),Deps::Columns(v)=>v.iter().map(|c|format!("{}.{}",c.relation,c.column)).collect::<Vec<_>>().join("+")}).collect::<Vec<_>>().join(";");
    println!("{id}\t{}\t{}{}\tpred[{}]\tout[{}]\tstored[{}]\t{}{}", acts.join(" "), if a.intent.flags.unbounded{"UNB "}else{""}, if a.intent.reads_unknown{"RU"}else{""}, preds.join(" "), outs, stored, a.misses.join(","), a.problem.map(|p|format!(" PROBLEM {}",p.message)).unwrap_or_default());
  }
}
